"""One self-contained `report.html`, and its plots as PNG files, for one finished search."""

from hwnas.report._base import Attempt, ReportData
from hwnas.report.html import plot_files, write_report

__all__ = ["Attempt", "ReportData", "plot_files", "write_report"]
