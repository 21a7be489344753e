"""Jobs on latency tables apart from a run: measure, check, fit, kits for boards, several devices."""

LEAST_CALIBRATION_NETWORKS, MOST_CALIBRATION_NETWORKS = 80, 120
