/*
 * lua.i - a table of the wrapped functions and nothing else: SWIG's own luaopen_ function would set globals.
 */
%wrapper %{
static swig_lua_namespace swig_SwigModule; /* defined further on */

void hak_lua_control_push(lua_State *L) {
    lua_newtable(L);
    for (const swig_lua_method *row = swig_SwigModule.ns_methods; row->name != NULL; row++) {
        lua_pushcfunction(L, row->func);
        lua_setfield(L, -2, row->name);
    }
}
%}
