"""What a person sees of a run. Reads run directories only; never trains."""
