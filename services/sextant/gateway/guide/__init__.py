"""The decision guide: which model should answer, and why. The guide itself is data: deploy/guide.yaml."""
