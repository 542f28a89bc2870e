"""tcp_exact_test where connections begin on stitched paths."""

import tcp_exact_test


class HalfClose(tcp_exact_test.HalfClose):
    carried_by = "stitched"


class Reset(tcp_exact_test.Reset):
    carried_by = "stitched"


class Refusal(tcp_exact_test.Refusal):
    carried_by = "stitched"


class Bytes(tcp_exact_test.Bytes):
    carried_by = "stitched"


if __name__ == "__main__":
    tcp_exact_test.unittest.main()
