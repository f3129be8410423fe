"""protobuf: messages are parsed into arenas of its own, which come from malloc."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench.process.part_kept import PartKept

FIELD = descriptor_pb2.FieldDescriptorProto


def message_class() -> Any:
    """A record with a list of entries, as a compiled .proto file would define it."""
    file = descriptor_pb2.FileDescriptorProto(name="record.proto", package="bench", syntax="proto3")
    entry = file.message_type.add(name="Entry")
    entry.field.add(name="key", number=1, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=FIELD.TYPE_DOUBLE, label=FIELD.LABEL_OPTIONAL)
    record = file.message_type.add(name="Record")
    record.field.add(name="id", number=1, type=FIELD.TYPE_INT64, label=FIELD.LABEL_OPTIONAL)
    record.field.add(name="name", number=2, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
    record.field.add(
        name="entries", number=3, type=FIELD.TYPE_MESSAGE, label=FIELD.LABEL_REPEATED, type_name=".bench.Entry"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Record"))


class Messages(PartKept):
    def prepare(self) -> None:
        generator = random.Random(12)
        self.record = message_class()
        self.texts = []
        for index in range(500):
            message = self.record(id=index, name=f"user-{generator.randrange(10**9)}")
            for _ in range(index % 60):
                message.entries.add(key=f"a key with number {generator.randrange(10**6)}", value=generator.random())
            self.texts.append(message.SerializeToString())

    def grow(self) -> None:
        parse = self.record.FromString
        self.held = [parse(text) for _ in range(self.count(150)) for text in self.texts]

    def describe(self, survivor: Any) -> str:
        return str(survivor)
