"""TLS: contexts of OpenSSL with a store of certificates each, as every client that is made anew has one."""

from __future__ import annotations

import ssl

import certifi

from bench.process.part_kept import PartKept


class Contexts(PartKept):
    def grow(self) -> None:
        certificates = certifi.where()
        self.held = [ssl.create_default_context(cafile=certificates) for _ in range(self.count(240))]

    def describe(self, survivor: ssl.SSLContext) -> str:
        return repr(survivor.cert_store_stats())
