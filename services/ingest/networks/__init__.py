"""What channels are made of: what each network tells, in our words, and how it is called. No channel knows another; what they
share stands here, and nothing here knows the house beyond the contract."""
