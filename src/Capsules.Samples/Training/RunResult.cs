namespace Capsules.Samples;

/// <summary>result.json of a finished run.</summary>
/// <param name="Seed">Its seed.</param>
/// <param name="Epochs">Epochs that it has behind it.</param>
/// <param name="BestEpoch">The one with the best accuracy on the images that <paramref name="SelectedBy"/> names.</param>
/// <param name="SelectedBy">The images that checkpoints were chosen by: validation or test.</param>
/// <param name="TestImages">Images tested on.</param>
/// <param name="LastWrong">How many of them the last epoch's network gets wrong.</param>
/// <param name="BestWrong">How many of them the best epoch's network gets wrong.</param>
internal sealed record RunResult(int Seed, int Epochs, int BestEpoch, string SelectedBy, long TestImages, long LastWrong, long BestWrong)
{
    public double LastError => (double)LastWrong / TestImages;

    public double BestError => (double)BestWrong / TestImages;
}
