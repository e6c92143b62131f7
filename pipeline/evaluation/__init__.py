"""How well a restorer does on datasets: pairs are scored, grouped, tabled and plotted."""
