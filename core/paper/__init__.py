"""The paper venue: fills by the fill model."""
