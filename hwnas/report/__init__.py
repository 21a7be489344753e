"""One self-contained `report.html`, and its plots as PNG files, for one finished search."""

from hwnas.report._base import Attempt, ReportData
from hwnas.report.html import write_report

__all__ = ["Attempt", "ReportData", "write_report"]
