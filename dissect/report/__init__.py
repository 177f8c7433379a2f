"""What a ticket needs beside the chart: details of messages, redacted; HAR; the report page."""
