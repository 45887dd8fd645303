// torch's random generator and thread pool belong to the process: seeds and counts of tensors mean something only where one test runs
// at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
