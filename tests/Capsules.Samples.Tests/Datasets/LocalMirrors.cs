using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Capsules.Samples.Tests;

/// <summary>
/// The mirrors of a dataset on this machine, for programs of other processes: a proxy that answers for their hosts itself, with a certificate of its
/// own. Of a file it sends one half, then a little now and then while a test waits for something, and then the rest.
/// </summary>
internal sealed class LocalMirrors : IDisposable
{
    // Of the second half at a time, and how often: so much as a program does not keep back from its file; a large file lasts for two minutes.
    private const int Little = 4096;
    private static readonly TimeSpan NowAndThen = TimeSpan.FromMilliseconds(100);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly X509Certificate2 _certificate;
    private readonly DatasetFolder _files;
    private readonly Func<string, Task> _betweenHalves;

    /// <param name="files">What they serve.</param>
    /// <param name="folder">Takes the certificate's file.</param>
    /// <param name="betweenHalves">Of a file's name, what to wait for between its halves.</param>
    public LocalMirrors(DatasetFolder files, TemporaryFolder folder, Func<string, Task> betweenHalves)
    {
        (_files, _betweenHalves) = (files, betweenHalves);
        using var key = RSA.Create(2048);
        var names = new SubjectAlternativeNameBuilder();
        files.Set.Mirrors.ToList().ForEach(mirror => names.AddDnsName(mirror.Host));
        var request = new CertificateRequest("CN=mirrors of a test", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(names.Build());
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var trusted = folder.Write("mirrors.pem", Encoding.ASCII.GetBytes(_certificate.ExportCertificatePem()));
        _listener.Start();
        Environment = new Dictionary<string, string?>
        {
            ["HTTPS_PROXY"] = $"http://{_listener.LocalEndpoint}/", ["https_proxy"] = null, ["NO_PROXY"] = null, ["no_proxy"] = null, ["SSL_CERT_FILE"] = trusted,
        };
        _ = AcceptAsync();
    }

    /// <summary>Variables that send a program here; null for those that it must not have. OpenSSL's programs alone heed the certificate's.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _certificate.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var plain = client.GetStream();
                await HeadAsync(plain);      // CONNECT host:443
                await plain.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray(), _stop.Token);
                await using var stream = new SslStream(plain);
                await stream.AuthenticateAsServerAsync(_certificate);
                var name = (await HeadAsync(stream)).Split(' ')[1].Split('/')[^1];
                var content = await File.ReadAllBytesAsync(_files.PathOf(_files.Set.Files.Single(file => file.Published.Name == name)), _stop.Token);
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {content.Length}\r\nConnection: close\r\n\r\n"), _stop.Token);
                var sent = content.Length / 2;
                await stream.WriteAsync(content.AsMemory(0, sent), _stop.Token);
                await stream.FlushAsync(_stop.Token);

                // A mirror that falls silent is given up by the program, which a slow machine must not bring about.
                var wait = _betweenHalves(name);
                while (await Task.WhenAny(wait, Task.Delay(NowAndThen, _stop.Token)) != wait)
                {
                    var little = Math.Min(Little, content.Length - 1 - sent);
                    await stream.WriteAsync(content.AsMemory(sent, little), _stop.Token);
                    await stream.FlushAsync(_stop.Token);
                    sent += little;
                }

                await wait;
                await stream.WriteAsync(content.AsMemory(sent), _stop.Token);
                await stream.ShutdownAsync();
            }
            catch (Exception failure) when (failure is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // The program was killed, or the test is over.
            }
        }
    }

    // What a request says before its body, of which it has none.
    private async Task<string> HeadAsync(Stream stream)
    {
        var (head, one) = (new StringBuilder(), new byte[1]);
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, _stop.Token) > 0)
        {
            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}
