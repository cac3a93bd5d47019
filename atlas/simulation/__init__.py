"""Simulated people with a diagnosis, for demonstrations, tests and honest validation. None of them exists."""

from atlas.simulation.cohort_folder import simulate
from atlas.simulation.effects import load_effects
from atlas.simulation.people import Person, simulate_people
from atlas.simulation.recording import STIMULI, simulate_recording

__all__ = ["STIMULI", "Person", "load_effects", "simulate", "simulate_people", "simulate_recording"]
