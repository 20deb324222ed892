"""The two managers: public calls, and the drivers that run the flows behind them."""
