using System.Diagnostics;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Capsules.Samples;

/// <summary>
/// Shows progress: a live bar on a terminal, plain lines elsewhere. What is said for good also goes to the run's log.
/// </summary>
internal sealed class TrainingDisplay(IAnsiConsole console, Action<string>? log = null)
{
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(15);

    /// <summary>Says a line for good.</summary>
    public void Line(string text)
    {
        console.Say(text);
        log?.Invoke(text);
    }

    /// <summary>Runs work that reports (how much is done, details in words) and shows it.</summary>
    public void Track(string title, long total, Action<Action<long, string>> work)
    {
        if (console.Profile.Out.IsTerminal && console.Profile.Capabilities.Interactive)
        {
            Live(title, total, work);
        }
        else
        {
            Plain(title, total, work);
        }
    }

    /// <summary>Runs work on so many images that reports how many of them are done, shows it, and hands on what it makes.</summary>
    public T TrackImages<T>(string title, long images, Func<Action<int>, T> work)
    {
        var made = default(T);
        Track(title, images, report => made = work(done => report(done, $"{done}/{images} images")));
        return made!;
    }

    private void Live(string title, long total, Action<Action<long, string>> work)
    {
        var column = new DetailsColumn();
        console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn { Width = 20 }, new PercentageColumn(), column)
            .Start(context =>
            {
                var task = context.AddTask(Markup.Escape(title), maxValue: total);
                work((done, details) => (column.Details, task.Value) = (details, done));
            });
    }

    private void Plain(string title, long total, Action<Action<long, string>> work)
    {
        var clock = Stopwatch.StartNew();
        var next = PlainInterval;
        work((done, details) =>
        {
            if (clock.Elapsed >= next && done < total)
            {
                console.Say($"{title}  {details}");
                next = clock.Elapsed + PlainInterval;
            }
        });
    }

    private sealed class DetailsColumn : ProgressColumn
    {
        public string Details { get; set; } = "";

        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(Details).Ellipsis();
    }
}
