"""What there is to choose from: the models, providers, users, teams and keys of late."""

from tracelib.facets.found import facets
from tracelib.facets.value import Facet, Facets

__all__ = ["Facet", "Facets", "facets"]
