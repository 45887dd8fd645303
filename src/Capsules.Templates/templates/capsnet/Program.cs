using Capsules;
using CapsNetApp;
using TorchSharp;
using static TorchSharp.torch;
using F = Capsules.Functional;

// dotnet run                       trains on built-in digits, then predicts some
// dotnet run -- train FOLDER       trains on MNIST, whose four files (.gz or unpacked) are in FOLDER
// dotnet run -- predict [FOLDER]   predicts test images with the weights of the last training
const string WeightsFile = "capsnet.safetensors";
const int Epochs = 2, BatchSize = 50;

var command = args.FirstOrDefault();
if (args.Length > 2 || command is not (null or "train" or "predict"))
{
    Console.Error.WriteLine("Usage: dotnet run [-- train [FOLDER] | -- predict [FOLDER]]");
    return 1;
}

if (args.Length == 2 && DigitImages.MissingFromMnist(args[1]) is { } missing)
{
    Console.Error.WriteLine($"The folder {args[1]} has no {missing}, packed or not. MNIST is four files, two of images and two of labels.");
    return 1;
}

if (command == "predict" && !File.Exists(WeightsFile))
{
    Console.Error.WriteLine($"There is no {WeightsFile} here. 'dotnet run' trains and writes it.");
    return 1;
}

manual_seed(1);
var device = cuda.is_available() ? CUDA : CPU;
(Tensor, Tensor, Tensor, Tensor) data;
try
{
    data = args.Length == 2 ? DigitImages.FromMnist(args[1]) : DigitImages.Draw(2000, 500);
}
catch (InvalidDataException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

var (trainImages, trainLabels, testImages, testLabels) = data;
using var network = new DigitNetwork();
network.to(device);

if (command == "predict")
{
    Weights.Load(network, WeightsFile);
}
else
{
    Train();
    Weights.Save(network, WeightsFile);
    Console.WriteLine($"saved {WeightsFile}");
}

Predict();
return 0;

void Train()
{
    using var optimizer = new FusedAdam(network.parameters(), lr: 1e-3);
    var (margin, reconstruction) = (new MarginLoss(), new ReconstructionLoss());
    for (var epoch = 1; epoch <= Epochs; epoch++)
    {
        network.train();
        var total = 0.0;
        var order = randperm(trainLabels.size(0));
        foreach (var batch in order.split(BatchSize))
        {
            using var step = NewDisposeScope();      // frees what the step makes
            var (images, labels) = (trainImages[batch].to(device), trainLabels[batch].to(device));
            var capsules = network.call(images);

            // Not a + b: with TorchSharp 0.107.0 it makes a number that the collector may free before it is read.
            var loss = stack([margin.call(F.length(capsules), labels), reconstruction.call(network.Reconstruct(capsules, labels), images)]).sum();
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            total += loss.item<float>() * batch.size(0);
        }

        Console.WriteLine($"epoch {epoch}: loss {total / trainLabels.size(0):f4}, test accuracy {Accuracy():p1}");
    }
}

double Accuracy()
{
    network.eval();
    using var noGradient = no_grad();
    var right = 0L;
    for (var start = 0L; start < testLabels.size(0); start += BatchSize)
    {
        using var scope = NewDisposeScope();
        var end = Math.Min(start + BatchSize, testLabels.size(0));
        var predicted = F.longest(network.call(testImages.slice(0, start, end, 1).to(device))).cpu();
        right += predicted.eq(testLabels.slice(0, start, end, 1)).sum().item<long>();
    }

    return (double)right / testLabels.size(0);
}

void Predict()
{
    network.eval();
    using var noGradient = no_grad();
    using var scope = NewDisposeScope();
    var lengths = F.length(network.call(testImages.slice(0, 0, 10, 1).to(device))).cpu();      // (10, 10): how probable each class is
    for (var i = 0; i < 10; i++)
    {
        var probabilities = lengths[i].data<float>().ToArray();
        var best = Array.IndexOf(probabilities, probabilities.Max());
        Console.WriteLine($"test image {i}: {best} with probability {probabilities[best]:f2}, label {testLabels[i].item<long>()}");
    }
}
