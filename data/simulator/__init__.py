"""A simulated exchange on loopback that speaks the protocol of Binance USD-M."""
