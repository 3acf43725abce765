"""What is understood of each operator: attributes, inputs, outputs, element types, opset versions."""
