using System.CommandLine;

namespace Capsules.Samples;

/// <summary>Refuses options that would be ignored without a word.</summary>
internal static class OptionConflicts
{
    /// <summary>Refuses an option where another one is given that leaves it without effect.</summary>
    /// <returns>The command.</returns>
    public static Command Refusing(this Command command, Option useless, Option with)
    {
        command.Validators.Add(result =>
        {
            var isOff = with is Option<bool> flag && !result.GetValue(flag);
            if (!isOff && result.GetResult(with) is { Implicit: false } && result.GetResult(useless) is { Implicit: false })
            {
                result.AddError($"{useless.Name} means nothing with {with.Name}. Leave it out.");
            }
        });
        return command;
    }

    /// <summary>Refuses an option that has no effect unless a flag is given.</summary>
    public static void Refusing(this Command command, Option useless, Option<bool> unless) => command.Validators.Add(result =>
    {
        if (!result.GetValue(unless) && result.GetResult(useless) is { Implicit: false })
        {
            result.AddError($"{useless.Name} means nothing without {unless.Name}. Leave it out, or give {unless.Name} too.");
        }
    });

    /// <summary>Refuses options of the program itself where they stand before one of its commands, which would not see them.</summary>
    public static void RefuseBeforeCommands(this Command root, IReadOnlyList<Option> options)
    {
        foreach (var command in root.Subcommands)
        {
            command.Validators.Add(result =>
            {
                if (options.FirstOrDefault(option => result.GetResult(option) is { Implicit: false }) is { } misplaced)
                {
                    var remedy = command.Options.Any(option => option.Name == misplaced.Name) ? $"Put it after {command.Name}" : "Leave it out";
                    result.AddError($"{misplaced.Name} means nothing before {command.Name}. {remedy}.");
                }
            });
        }
    }
}
