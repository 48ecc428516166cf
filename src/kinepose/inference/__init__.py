"""From a video to files of poses: prediction, filters over time, other formats, ONNX, the app.

Poses are those of a person and frame, in the axes of the video's camera.
Everything that a user of a finished model needs is here.
"""
