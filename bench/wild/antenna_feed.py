# /// script
# dependencies = ["scikit-rf==2.2.0"]
# ///
"""scikit-rf: how is a signal divided among 16 antennas? A tree of Wilkinson's dividers, at 2001 frequencies."""

from skrf import Frequency
from skrf.circuit import Circuit
from skrf.media import DefinedGammaZ0

frequency = Frequency(1, 3, 2001, "GHz")
line = DefinedGammaZ0(frequency, z0=50)
quarter = DefinedGammaZ0(frequency, z0=50 * 2**0.5)


def port(name):
    return Circuit.Port(frequency, name, z0=50)


def divider(name):
    """Two lines of a quarter of the wavelength at 2 GHz, and a resistor between their ends."""
    arms = [quarter.line(90, "deg", name=f"arm{i}") for i in range(2)]
    resistor = line.resistor(100, name="resistor")
    ends = [[(port(f"end{i}"), 0), (arms[i], 1), (resistor, i)] for i in range(2)]
    network = Circuit([[(port("start"), 0), (arms[0], 0), (arms[1], 0)], *ends]).network
    network.name = name
    return network


def job():
    dividers = [divider(f"divider{i}") for i in range(15)]
    below = [*dividers[1:], *(port(f"antenna{i}") for i in range(16))]
    connections = [[(port("input"), 0), (dividers[0], 0)]]
    connections += [[(dividers[i // 2], 1 + i % 2), (one, 0)] for i, one in enumerate(below)]
    return Circuit(connections).network.s
