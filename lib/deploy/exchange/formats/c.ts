import { encodeC } from '../c/encodeC.js';
import type { ExportFormat } from '../format.js';

/** For whatever has a compiler of C. */
const c: ExportFormat = {
  about: 'C99, a header and a source that need nothing but <stdint.h>; exactly our accumulators, in narrow types',
  encode(graph, { name }) {
    const { header, source } = encodeC(graph, { name, headerFile: `${name}.h` });
    return new Map([
      ['.h', header],
      ['.c', source],
    ]);
  },
};

export default c;
