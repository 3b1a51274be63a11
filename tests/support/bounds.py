"""How long to wait for what should come at once: with a sanitizer, or on a busy machine, some times as long."""
import os

SCALE = float(os.environ.get("TWOKEY_TEST_SCALE", "1"))
