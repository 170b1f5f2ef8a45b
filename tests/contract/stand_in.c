/* What TensorRT's Python bindings look for in libnvinfer, libnvinfer_plugin and libnvonnxparser. With these three in
   place the bindings import and can be listed; nothing can be built or run. */
#define STAND_IN(name) void *name(void) { return 0; }

STAND_IN(createInferBuilder_INTERNAL)
STAND_IN(createInferRefitter_INTERNAL)
STAND_IN(createInferRuntime_INTERNAL)
STAND_IN(createNvOnnxParserRefitter_INTERNAL)
STAND_IN(createNvOnnxParser_INTERNAL)
STAND_IN(getBuilderPluginRegistry)
STAND_IN(getNvOnnxParserVersion)
STAND_IN(getPluginRegistry)
STAND_IN(initLibNvInferPlugins)
