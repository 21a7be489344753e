"""Jobs on latency tables apart from a run: measure, check, fit, kits for boards, several devices."""
