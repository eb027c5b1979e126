"""Figures of the materials flows, as SVG text."""

from domains.materials.figures.curves import barrier, phonon_dos, voltage_curve
from domains.materials.figures.energies import Scan, energy_volume, hull_distances, scan_against_relaxed
from domains.materials.figures.hull import hull_plot
from domains.materials.figures.periodic import periodic_table

__all__ = [
    "Scan",
    "barrier",
    "energy_volume",
    "hull_distances",
    "hull_plot",
    "periodic_table",
    "phonon_dos",
    "scan_against_relaxed",
    "voltage_curve",
]
