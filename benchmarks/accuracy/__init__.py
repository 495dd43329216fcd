"""How good the forecasts are on public data, beside what others reach on the same slots."""
