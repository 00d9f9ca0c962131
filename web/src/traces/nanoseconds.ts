/** Beyond 2^53 the console answers integers as text; drawing needs a number that is near enough. */
export const nanoseconds = (value: number | string): number => {
  const read = Number(value);
  return Number.isFinite(read) ? read : 0;
};
