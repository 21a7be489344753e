"""From a table and a calibration to the milliseconds of any network, with an interval."""
