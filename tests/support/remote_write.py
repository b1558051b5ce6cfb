"""remote_write 1.0 bodies: prompb.WriteRequest as protobuf, in a snappy block (literals only: valid, not small)."""
import struct


def varint(v):
    out = bytearray()
    while v >= 0x80:
        out.append(v & 0x7F | 0x80)
        v >>= 7
    out.append(v)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def sample(value, ts_ms):
    return varint(1 << 3 | 1) + struct.pack("<d", value) + varint(2 << 3) + varint(ts_ms & 0xFFFFFFFFFFFFFFFF)


def series(labels, samples):
    """labels: dict; samples: [(value, ts_ms)]."""
    out = b""
    for name, value in sorted(labels.items()):
        out += field(1, field(1, name.encode()) + field(2, value.encode()))
    for value, ts_ms in samples:
        out += field(2, sample(value, ts_ms))
    return out


def write_request(all_series):
    return b"".join(field(1, series(labels, samples)) for labels, samples in all_series)


def snappy(data):
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        part = data[at:at + 65536]
        n = len(part) - 1
        if n < 60:
            out.append(n << 2)
        else:
            out += bytes([61 << 2, n & 0xFF, n >> 8])
        out += part
    return bytes(out)


HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def body(all_series):
    return snappy(write_request(all_series))
