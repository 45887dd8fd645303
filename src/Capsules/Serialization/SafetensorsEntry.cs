namespace Capsules;

/// <summary>What a safetensors file says of one of its tensors.</summary>
/// <param name="Name">The tensor's name, as a state dict has it.</param>
/// <param name="Dtype">The format's name of its dtype: F32, BF16, I64, BOOL, ...</param>
/// <param name="Shape">Its sizes; empty for a scalar.</param>
/// <param name="Offset">Where its data begins, in bytes from the end of the header.</param>
/// <param name="Bytes">How long its data is, in bytes.</param>
public sealed record SafetensorsEntry(string Name, string Dtype, IReadOnlyList<long> Shape, long Offset, long Bytes);
