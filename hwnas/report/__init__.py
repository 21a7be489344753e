"""One self-contained `report.html`, and its plots as PNG files, for one finished search."""

from hwnas.report._base import Attempt, ReportData, Usage
from hwnas.report.html import plot_files, write_report

__all__ = ["Attempt", "ReportData", "Usage", "plot_files", "write_report"]
