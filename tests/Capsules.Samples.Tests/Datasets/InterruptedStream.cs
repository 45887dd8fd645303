namespace Capsules.Samples.Tests;

/// <summary>A body that gives some bytes and then does something else: it breaks off, falls silent, or cancels.</summary>
internal sealed class InterruptedStream(byte[] start, Func<CancellationToken, Task<int>> then) : Stream
{
    private bool _started;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_started)
        {
            return await then(cancellationToken);
        }

        _started = true;
        start.CopyTo(buffer);
        return start.Length;
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
