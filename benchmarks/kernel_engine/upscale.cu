/* The kernels behind the stand-in engine: a picture four times as wide and high, by arithmetic that numpy repeats bit
 * for bit. Each multiplication and addition is rounded by itself (no fused ones), as IEEE 754 and numpy do it.
 *
 * upscale.ptx was made from this file by
 *     nvcc -ptx -arch=compute_75 -o upscale.ptx upscale.cu
 * and by writing ".version 6.4" and ".target sm_70" over what nvcc 13 puts there, since the driver of JetPack 6 reads no
 * PTX of CUDA 13. The instructions are all of that version: ptxas takes the file. Drivers compile it for their GPU, from
 * sm_70 on.
 */

/* values = lr + noise / 4 */
extern "C" __global__ void mix(const float *lr, const float *noise, float *values, int count)
{
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place < count)
        values[place] = __fadd_rn(lr[place], __fmul_rn(noise[place], 0.25f));
}

/* So many times: values = 1.5 * values + 0.1, without its whole part. It takes as long as one likes and never settles. */
extern "C" __global__ void layer(float *values, int count, int rounds)
{
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= count)
        return;
    float value = values[place];
    for (int turn = 0; turn < rounds; ++turn) {
        value = __fadd_rn(__fmul_rn(value, 1.5f), 0.1f);
        value = __fsub_rn(value, floorf(value));
    }
    values[place] = value;
}

/* Each value four times in either direction; width: of the small picture, count: of the large pictures' values. */
extern "C" __global__ void upscale(const float *values, float *sr, int width, int count)
{
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= count)
        return;
    int row = place / (4 * width), column = place % (4 * width);
    sr[place] = values[row / 4 * width + column / 4];
}
