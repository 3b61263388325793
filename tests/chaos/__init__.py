"""Proofs that take their time: everything is killed while work goes on, and nothing acknowledged is lost or doubled."""
