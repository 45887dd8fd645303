return await Capsules.Samples.CommandLine.RunAsync(args);
