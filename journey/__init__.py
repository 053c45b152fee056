"""What facts mean: campaigns, contacts, and which emails follow. Pure: time and ids are arguments."""
