console.log('no wasm sources yet');
