/**
 * The names of a JSON object's members as they are written, in order and repeated where they are: an object of
 * JavaScript would sort `10` before `b`.
 *
 * @param text of an object that `JSON.parse` accepts
 */
export function jsonKeys(text: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  let awaited = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') {
      const end = stringEnd(text, at);
      if (awaited) keys.push(JSON.parse(text.slice(at, end)));
      awaited = false;
      at = end - 1;
    } else if (letter === '{' || letter === '[') {
      depth++;
      awaited = depth === 1;
    } else if (letter === '}' || letter === ']') {
      depth--;
    } else if (letter === ',') {
      awaited = depth === 1;
    }
  }
  return keys;
}

/** One past the closing quote of the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** `{"name":value,…}` in the order given, whatever the names. */
export function jsonObject(members: Iterable<readonly [name: string, value: unknown]>): string {
  return `{${Array.from(members, ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}
