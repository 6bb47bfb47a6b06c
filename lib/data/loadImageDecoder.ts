/** The JPEG and PNG decoder, loaded when asked for: `(await loadImageDecoder())(bytes, name)`, see `decodeImage`. */
export async function loadImageDecoder(): Promise<typeof import('./decode.js').decodeImage> {
  return (await import('./decode.js')).decodeImage;
}
