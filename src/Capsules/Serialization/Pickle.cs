using System.Buffers.Binary;
using System.Text;

namespace Capsules;

/// <summary>A name that a pickle mentions: a class or function of Python's, which is never run.</summary>
internal sealed record PickleName(string Module, string Name);

/// <summary>A call that a pickle asks for. A persistent id comes as a call of module "persistent".</summary>
internal sealed record PickleCall(string Module, string Name, object?[] Arguments);

/// <summary>
/// The part of Python's pickle machine that dictionaries of tensors take: text, numbers, tuples, lists, dictionaries, and calls, which
/// are handed to the reader's owner to grant or refuse.
/// </summary>
/// <remarks>Opcodes as in Python's pickletools, protocols 2 to 5.</remarks>
internal static class Pickle
{
    private static readonly object Mark = new();

    /// <summary>Runs a pickle and returns what it leaves.</summary>
    /// <param name="bytes">The pickle.</param>
    /// <param name="resolve">Makes the result of a call, or refuses it.</param>
    /// <exception cref="InvalidDataException">It is damaged, or does more than is understood.</exception>
    public static object? Read(ReadOnlySpan<byte> bytes, Func<PickleCall, object> resolve)
    {
        try
        {
            return new Machine(bytes, resolve).Run();
        }
        catch (Exception failure) when (failure is InvalidOperationException or InvalidCastException or ArgumentException or KeyNotFoundException or OverflowException)
        {
            throw new InvalidDataException($"its pickle is damaged ({failure.Message.TrimEnd('.')})", failure);
        }
    }

    private ref struct Machine(ReadOnlySpan<byte> bytes, Func<PickleCall, object> resolve)
    {
        private readonly Stack<object?> _stack = new();
        private readonly Dictionary<long, object?> _memo = [];
        private ReadOnlySpan<byte> _rest = bytes;

        public object? Run()
        {
            while (true)
            {
                var opcode = (char)Take(1)[0];
                switch (opcode)
                {
                    case '.': return _stack.Pop();
                    case '\u0080': Take(1); break;                                            // PROTO
                    case '\u0095': Take(8); break;                                            // FRAME
                    case '(': _stack.Push(Mark); break;
                    case 'N': _stack.Push(null); break;
                    case '\u0088': _stack.Push(true); break;
                    case '\u0089': _stack.Push(false); break;
                    case 'K': _stack.Push((long)Take(1)[0]); break;                           // BININT1
                    case 'M': _stack.Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
                    case 'J': _stack.Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
                    case '\u008a': _stack.Push(Long()); break;                                // LONG1
                    case 'G': _stack.Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
                    case 'X': _stack.Push(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
                    case '\u008c': _stack.Push(Text(Take(1)[0])); break;                      // SHORT_BINUNICODE
                    case ')': _stack.Push(Array.Empty<object?>()); break;
                    case '\u0085': _stack.Push(Last(1)); break;                               // TUPLE1, 2, 3
                    case '\u0086': _stack.Push(Last(2)); break;
                    case '\u0087': _stack.Push(Last(3)); break;
                    case 't': _stack.Push(SinceMark()); break;
                    case ']': _stack.Push(new List<object?>()); break;
                    case 'a': Append([_stack.Pop()]); break;
                    case 'e': Append(SinceMark()); break;
                    case '}': _stack.Push(new Dictionary<object, object?>()); break;
                    case 's': SetItems(Last(2)); break;
                    case 'u': SetItems(SinceMark()); break;
                    case 'q': _memo[Take(1)[0]] = _stack.Peek(); break;                       // BINPUT
                    case 'r': _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = _stack.Peek(); break;
                    case '\u0094': _memo[_memo.Count] = _stack.Peek(); break;                 // MEMOIZE
                    case 'h': _stack.Push(_memo[Take(1)[0]]); break;                          // BINGET
                    case 'j': _stack.Push(_memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))]); break;
                    case 'c': _stack.Push(new PickleName(Line(), Line())); break;             // GLOBAL
                    case '\u0093': var name = Last(2); _stack.Push(new PickleName(Expected<string>(name[0]), Expected<string>(name[1]))); break;
                    case 'Q': _stack.Push(resolve(new PickleCall("persistent", "id", Popped<object?[]>()))); break;
                    case 'R' or '\u0081': Call(); break;                                     // REDUCE, NEWOBJ
                    case 'b': Build(); break;
                    default: throw new InvalidDataException($"its pickle has the opcode 0x{(int)opcode:x2}, which no dictionary of tensors needs");
                }
            }
        }

        private void Call()
        {
            var arguments = Popped<object?[]>();
            var function = Popped<PickleName>();
            _stack.Push(resolve(new PickleCall(function.Module, function.Name, arguments)));
        }

        // An OrderedDict's attributes, such as the _metadata of a state dict, say nothing about its tensors.
        private void Build()
        {
            _ = _stack.Pop();
            if (_stack.Peek() is not Dictionary<object, object?>)
            {
                throw new InvalidDataException("its pickle sets attributes of something that is no dictionary");
            }
        }

        private void SetItems(object?[] items)
        {
            var target = Top<Dictionary<object, object?>>();
            for (var i = 0; i + 1 < items.Length; i += 2)
            {
                target[items[i] ?? throw new InvalidDataException("its pickle has a dictionary with None for a key")] = items[i + 1];
            }
        }

        private void Append(object?[] items) => Top<List<object?>>().AddRange(items);

        private T Popped<T>() where T : class => Expected<T>(_stack.Pop());

        private T Top<T>() where T : class => Expected<T>(_stack.Peek());

        private static T Expected<T>(object? value) where T : class =>
            value as T ?? throw new InvalidDataException("its pickle is damaged (an object of another kind was expected)");

        private object?[] Last(int count)
        {
            var items = new object?[count];
            for (var i = count - 1; i >= 0; i--)
            {
                items[i] = _stack.Pop();
            }

            return items;
        }

        private object?[] SinceMark()
        {
            var items = new List<object?>();
            while (_stack.Pop() is var item && item != Mark)
            {
                items.Add(item);
            }

            items.Reverse();
            return [.. items];
        }

        private long Long()
        {
            var digits = Take(Take(1)[0]);
            return digits.Length <= 8 ? (long)new System.Numerics.BigInteger(digits) : throw new InvalidDataException("its pickle has a number beyond 64 bits");
        }

        private string Text(uint length) => Encoding.UTF8.GetString(Take(length));

        private string Line()
        {
            var end = _rest.IndexOf((byte)'\n');
            var line = Encoding.UTF8.GetString(Take(end < 0 ? uint.MaxValue : (uint)end));
            Take(1);
            return line;
        }

        private ReadOnlySpan<byte> Take(long count)
        {
            if (count > _rest.Length)
            {
                throw new InvalidDataException("its pickle is cut short");
            }

            var taken = _rest[..(int)count];
            _rest = _rest[(int)count..];
            return taken;
        }
    }
}
