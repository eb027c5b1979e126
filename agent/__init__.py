"""From a researcher's sentence, in English or Chinese, to a typed intent: offline, without weights, always the same."""
