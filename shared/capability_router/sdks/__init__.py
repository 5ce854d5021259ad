"""What the providers' SDKs need from us: their own retries switched off, their connections and streams closed."""
