using System.Net;

namespace Capsules.Samples.Tests;

/// <summary>A network of two mirrors, "https://one.test/" and "https://two.test/", that answer as a test says.</summary>
internal sealed class FakeMirrors(Func<Uri, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
{
    public static readonly Uri[] Both = [new("https://one.test/"), new("https://two.test/")];

    public FakeMirrors(Func<Uri, HttpResponseMessage> answer)
        : this((address, _) => Task.FromResult(answer(address)))
    {
    }

    public List<string> Requests { get; } = [];

    public static HttpResponseMessage Send(byte[] content) => new(HttpStatusCode.OK) { Content = new ByteArrayContent(content) };

    public static HttpResponseMessage Send(Stream content) => new(HttpStatusCode.OK) { Content = new StreamContent(content) };

    public static HttpResponseMessage Refuse() => new(HttpStatusCode.NotFound);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests.Add(request.RequestUri!.ToString());
        return answer(request.RequestUri, cancellationToken);
    }
}
