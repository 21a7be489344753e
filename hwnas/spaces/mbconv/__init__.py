"""The MobileNetV3 / once-for-all family."""
