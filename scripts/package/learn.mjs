/** A function for programs of a consumer: ten steps of a layer on a backend. Its losses must fall. */
export const LEARN = `
  async function learn(backend) {
    setBackend(backend);
    const random = new Random(0);
    const layer = new Linear(512, 64, { random });
    const x = uniform([256, 512], random);
    const optimizer = new Adam(layer.parameters(), { learningRate: 0.0002 });
    const losses = [];
    for (let step = 0; step < 10; step++) {
      const loss = mean(layer.forward(x).square());
      losses.push(await loss.item());
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
    }
    return losses;
  }`;
