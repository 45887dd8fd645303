// torch's random generator and thread pool belong to the process: seeds and thread counts mean something only where one
// test runs at a time. libtorch keeps the cores busy all the same.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
