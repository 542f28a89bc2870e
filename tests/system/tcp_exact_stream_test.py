"""tcp_exact_test where connections stay on streams."""

import tcp_exact_test


class HalfClose(tcp_exact_test.HalfClose):
    carried_by = "stream"


class Reset(tcp_exact_test.Reset):
    carried_by = "stream"


class Refusal(tcp_exact_test.Refusal):
    carried_by = "stream"


class Bytes(tcp_exact_test.Bytes):
    carried_by = "stream"


if __name__ == "__main__":
    tcp_exact_test.unittest.main()
