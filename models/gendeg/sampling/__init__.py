"""From noise to latents: schedule, sampler, guidance."""
